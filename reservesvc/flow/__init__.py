"""The story of a slot, one verb a module; decides in which order the stores are asked."""
