const char *name(void) { return "plugin"; }
