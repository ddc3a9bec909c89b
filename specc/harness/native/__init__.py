"""What torch draws itself and a case replaces by portable numbers: initial weights and dropout,
checked apart."""
