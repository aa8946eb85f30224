"""Invoices and credit notes as files: EN 16931 XML inside a PDF/A-3b, made in processes of their own and kept on disk.

`document` reads the invoice once, `cii` and `pdf` write it down, `renderer` and `worker` do that beside the loop,
`storage` keeps the result. What an invoice says is decided in `domain`; nothing here computes an amount.
"""
