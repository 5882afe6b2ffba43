"""All facts about the product types: one mapping file each, and the module that reads them."""
