package report

// Unexported names that the tests use.
var (
	Digits = digits
	Bars   = bars
	Curve  = curve
)
