"""Whether a component has a flaw: lanes, precedence, conditions, the verdict, and its words."""
