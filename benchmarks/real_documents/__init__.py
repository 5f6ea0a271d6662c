"""A bed of real documents: PDF files of Debian packages, scans and drawn receipts, with questions by hand."""
