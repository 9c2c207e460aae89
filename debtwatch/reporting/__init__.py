"""From a panel to a report: figures, pages, charts."""
