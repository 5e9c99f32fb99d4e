// Package secure is TLS for one side of the server, its clients or its peers: which
// certificate is shown, whose is trusted, and what is demanded of it.
//
//	side, err := secure.Open(secure.Settings{CertFile: "server.crt", KeyFile: "server.key"}, log)
//	conn, err := side.Accept(ctx, raw)           // a connection that came in
//	conn, err = side.Dial(ctx, raw, "m1.example") // one that goes out
//
// Files are read again at every handshake, so that certificates, keys, lists of authorities and of revoked certificates
// are replaced without a restart. A pair or a list of authorities that cannot be read or does not fit together (its
// files are just being replaced, say) leaves the one before in place, with a line in the log. A list of revoked
// certificates has no such mercy: without it nobody is let in.
//
// What is demanded of the other side is asked at every connection, resumed ones too.
package secure
