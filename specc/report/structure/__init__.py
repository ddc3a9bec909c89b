"""What a program or the catalogue consists of: tables, pictures, JSON."""
