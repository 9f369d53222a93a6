"""What the organization's machines run: assets, components, installs, and the reports that said so."""
