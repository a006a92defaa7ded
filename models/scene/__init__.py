"""A rendered shop: shoppers at shelves, with every truth about them known."""
