"""How text is shown: styled pieces, untrusted text made safe, diagnostics with carets."""
