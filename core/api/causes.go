package api

// causes maps what the packages below say to what a client hears.
var causes = []struct {
	cause error
	err   *Error
}{}
