package config

func discoveryFlags() []spec {
	return []spec{
		{"discovery-srv", "", "DNS domain whose SRV records name the members of a new cluster.",
			func(p *parser) any { return &p.c.DiscoverySRV }, nil},
		{"discovery-srv-name", "", "Suffix of the records' names.",
			func(p *parser) any { return &p.c.DiscoverySRVName }, nil},
		{"discovery-token", "", "Token by which the members of a new cluster find one another in another etcd.",
			func(p *parser) any { return &p.c.Discovery.Token }, nil},
		{"discovery-endpoints", "", "Comma-separated list of that etcd's endpoints.",
			func(p *parser) any { return &p.endpoints }, nil},
		{"discovery-dial-timeout", "2s", "Time to connect to it.",
			func(p *parser) any { return &p.c.Discovery.DialTimeout }, nil},
		{"discovery-request-timeout", "5s", "Time for a request to it.",
			func(p *parser) any { return &p.c.Discovery.RequestTimeout }, nil},
		{"discovery-keepalive-time", "2s", "Time between pings to it.",
			func(p *parser) any { return &p.c.Discovery.KeepAliveTime }, nil},
		{"discovery-keepalive-timeout", "6s", "Time to wait for a ping's answer.",
			func(p *parser) any { return &p.c.Discovery.KeepAliveTimeout }, nil},
		{"discovery-insecure-transport", "true", "Connect to it without TLS.",
			func(p *parser) any { return &p.c.Discovery.InsecureTransport }, nil},
		{"discovery-insecure-skip-tls-verify", "false", "Do not verify its certificate.",
			func(p *parser) any { return &p.c.Discovery.SkipTLSVerify }, nil},
		{"discovery-cert", "", "Path to the certificate to show it.",
			func(p *parser) any { return &p.c.Discovery.CertFile }, nil},
		{"discovery-key", "", "Path to its key.", func(p *parser) any { return &p.c.Discovery.KeyFile }, nil},
		{"discovery-cacert", "", "Path to the certificates of its authorities.",
			func(p *parser) any { return &p.c.Discovery.CAFile }, nil},
		{"discovery-user", "", "Name, or name:password, of a user there.",
			func(p *parser) any { return &p.c.Discovery.User }, nil},
		{"discovery-password", "", "Password there.", func(p *parser) any { return &p.c.Discovery.Password }, nil},
	}
}
