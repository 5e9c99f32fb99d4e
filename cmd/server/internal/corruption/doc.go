// Package corruption finds members whose keys differ from those of the others and raises the CORRUPT alarm about them.
// What is asked and who is to blame core/audit says; here the questions travel. A check asks the others for the hash
// of their keys at a revision:
//
//   - at the start, before the member serves anybody, for its own newest revision; if one differs it does not
//     start;
//   - every now and then, if it leads, for its newest revision;
//   - when it leads, for the revisions of the last compactions, whose sums all have kept: the majority is right.
//
// Hashes can be compared only where the history begins at one revision, so a check says whom it has left out.
//
//	c := corruption.New(corruption.Config{Node: door, Client: client, Log: log})
//	err := c.AtStart(ctx)
//	c.Run(stopping, corruption.Times{Compactions: time.Minute})
package corruption
