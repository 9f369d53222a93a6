"""The pure core: versions, ranges, products, verdicts, deadlines. No input, no output, no clock."""
