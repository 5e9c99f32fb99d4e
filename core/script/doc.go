// Package script is the language of what is done to a simulated cluster from
// outside: by a visitor, a scenario, the drawn faults, or a simulated client
// whose decisions were recorded. A Command has four forms, and this package
// turns each into the others: a Go value, a line of text (replay files), JSON
// (the page), and, for what a client asks, a message of the API.
//
//	c, err := script.Parse("put key=x value=1")
//	op, body, err := c.Body(0) // OpPut, *pb.PutRequest
//	script.Of(body)               // the command again
//
// What there is to know of a verb stands in one row of one table (see Verb). A
// world adds what it alone knows: when a verb is possible, and what it does.
package script
