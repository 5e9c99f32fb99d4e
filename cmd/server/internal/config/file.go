package config

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v2"
)

// fromFile sets flags from a file in YAML, or JSON, which is part of it. As in etcd, the command line and the
// environment count for nothing then, and times are whole numbers of nanoseconds; texts such as 10m are taken, too.
func (p *parser) fromFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.note("loaded server configuration, other configuration command line flags and environment variables will be "+
		"ignored if provided: %s", path)
	return p.setAll(path, "", values)
}

// nested are groups of values in a file. With the prefix, their names are the flags', but for those that differ.
var nested = map[string]struct {
	prefix string
	names  map[string]string
}{
	"client-transport-security": {"", map[string]string{"client-cert-auth": "client-cert-auth",
		"allowed-hostname": "client-cert-allowed-hostname", "client-cert-file": "client-cert-file",
		"client-key-file": "client-key-file", "crl-file": "client-crl-file"}},
	"peer-transport-security": {"peer-", map[string]string{"allowed-cn": "peer-cert-allowed-cn",
		"allowed-hostname":             "peer-cert-allowed-hostname",
		"skip-client-san-verification": "peer-skip-client-san-verification"}},
	"socket-options":   {"socket-", nil},
	"discovery-config": {"discovery-", nil},
	"client":           {"discovery-", nil},
	"secure":           {"discovery-", nil},
	"auth":             {"discovery-", map[string]string{"username": "discovery-user"}},
}

func (p *parser) setAll(path, group string, values map[string]any) error {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		value := values[name]
		if _, isGroup := nested[name]; isGroup {
			inner, ok := value.(map[any]any)
			if !ok && value != nil {
				return fmt.Errorf("invalid %s", name)
			}
			if err := p.setAll(path, name, textKeys(inner)); err != nil {
				return err
			}
			continue
		}
		flag := name
		if group != "" {
			in := nested[group]
			if flag = in.names[name]; flag == "" {
				flag = in.prefix + name
			}
		}
		if err := p.setOne(path, flag, value); err != nil {
			return err
		}
	}
	return nil
}

func textKeys(m map[any]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[fmt.Sprint(k)] = v
	}
	return out
}

func (p *parser) setOne(path, name string, value any) error {
	f := p.fs.Lookup(name)
	if f == nil {
		p.note("%s: there is no setting %s", path, name)
		return nil
	}
	text := ""
	switch v := value.(type) {
	case nil:
		return nil
	case int:
		if text = fmt.Sprint(v); isDuration(f.DefValue) {
			text = time.Duration(v).String()
		}
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = fmt.Sprint(v[i])
		}
		text = strings.Join(parts, ",")
	default:
		text = fmt.Sprint(v)
	}
	if text == "" && name != "initial-cluster" { // as an empty variable of the environment
		return nil
	}
	if err := p.fs.Set(name, text); err != nil {
		return fmt.Errorf("%s: invalid value %q for %s: %w", path, text, name, p.explain(err))
	}
	if name != "listen-client-urls" { // what is advertised without it is the default, as in etcd
		p.set[name] = true
	}
	return nil
}

// isDuration tells whether a flag is one of a time, by its default.
func isDuration(def string) bool {
	_, err := time.ParseDuration(def)
	return err == nil && strings.TrimLeft(def, "0123456789.") != ""
}
