(function () {
  "use strict";
  var table = document.getElementById("units");
  if (!table) { return; }
  var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
  var text = document.getElementById("filter-text"), level = document.getElementById("filter-level");
  var projects = document.getElementById("filter-projects"), count = document.getElementById("filter-count");
  // Sort values are read from what is shown: the severity of a level, the number of a figure.
  function key(row, column, numeric) {
    var cell = row.cells[column], level = cell.querySelector(".level");
    if (!numeric) { return cell.textContent.trim(); }
    if (level) { return Number(/s(\d)/.exec(level.className)[1]); }
    var found = /^[+\u2212-]?[\d,.]+/.exec(cell.textContent.trim());
    return found ? Number(found[0].replace(/,/g, "").replace("\u2212", "-")) : null;
  }
  function sort(head, column) {
    var numeric = head.getAttribute("data-sort") === "number";
    var before = head.getAttribute("aria-sort");
    // Numbers start with the largest, words with the first of the alphabet.
    var down = before ? before === "ascending" : numeric;
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort(function (a, b) {
      var x = key(a, column, numeric), y = key(b, column, numeric);
      if (x === null || y === null) { return x === y ? 0 : x === null ? 1 : -1; }
      var order = numeric ? x - y : x.localeCompare(y);
      return down ? -order : order;
    });
    rows.forEach(function (row) { body.appendChild(row); });
  }
  function filter() {
    var wanted = text.value.trim().toLowerCase(), shown = 0;
    rows.forEach(function (row) {
      var name = (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase();
      var keep = (!wanted || name.indexOf(wanted) >= 0) &&
        (!level.value || row.cells[2].querySelector("." + level.value)) &&
        (!projects.checked || row.hasAttribute("data-p"));
      row.hidden = !keep;
      if (keep) { shown += 1; }
    });
    count.textContent = shown + " / " + rows.length;
  }
  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
    if (!head.hasAttribute("data-sort")) { return; }
    head.tabIndex = 0;
    head.addEventListener("click", function () { sort(head, column); });
    head.addEventListener("keydown", function (event) { if (event.key === "Enter") { sort(head, column); } });
  });
  [text, level, projects].forEach(function (input) { input.addEventListener("input", filter); });
  filter();
})();
