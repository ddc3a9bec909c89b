"""Shape rules of layers, and of their functional forms."""
