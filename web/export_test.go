package web

// Bundle is what the entries are made by.
var Bundle = bundle
