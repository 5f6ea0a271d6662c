"""Documents that the bed draws: receipts, invoices, scans and photographs."""
