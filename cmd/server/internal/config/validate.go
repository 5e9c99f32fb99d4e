package config

import (
	"errors"
	"fmt"
	"strings"

	"vitrine/core/limits"
)

func (c *Config) validate() error {
	for _, urls := range []URLs{c.ListenPeerURLs, c.ListenClientURLs, c.ListenClientHTTPURLs, c.ListenMetricsURLs} {
		if err := urls.bindable(); err != nil {
			return err
		}
	}
	if err := c.AdvertisePeerURLs.reachable(); err != nil {
		return fmt.Errorf(`--initial-advertise-peer-urls %q must be "host:port" (%w)`, c.AdvertisePeerURLs.String(), err)
	}
	if err := c.AdvertiseClientURLs.reachable(); err != nil {
		return fmt.Errorf(
			`--advertise-client-urls %q must be in the format "host:port", "unix:/path/to/socket" or `+
				`"unixs:/path/to/socket" (%w)`, c.AdvertiseClientURLs.String(), err)
	}
	if err := c.validateTLS(); err != nil {
		return err
	}
	if c.EnableTracing {
		if err := c.Tracing.Check(); err != nil {
			return err
		}
	}
	if err := c.validateTiming(); err != nil {
		return err
	}
	switch c.LogFormat {
	case "json", "console":
	default:
		return fmt.Errorf("unknown log format: %s, supported values json, console", c.LogFormat)
	}
	if !contains(logLevels, strings.ToLower(c.LogLevel)) {
		return fmt.Errorf("unknown --log-level %q, supported values %s", c.LogLevel, strings.Join(logLevels, ", "))
	}
	if err := c.validateTuning(); err != nil {
		return err
	}
	c.remark()
	return nil
}

func (c *Config) validateTuning() error {
	if n := c.FlightRecorderBytes; n != 0 && (n < limits.FlightRecorderLeastBytes || n > limits.FlightRecorderMostBytes) {
		return fmt.Errorf("--flight-recorder-bytes must be 0, or %d at least and %d at most", limits.FlightRecorderLeastBytes,
			limits.FlightRecorderMostBytes)
	}
	for _, flag := range []struct {
		name  string
		value int64
	}{
		{"backend-batch-interval", int64(c.BackendBatchInterval)}, {"backend-batch-limit", int64(c.BackendBatchLimit)},
		{"compaction-batch-limit", int64(c.CompactionBatchLimit)},
		{"compaction-sleep-interval", int64(c.CompactionSleepInterval)},
		{"corrupt-check-time", int64(c.CorruptCheckTime)}, {"downgrade-check-time", int64(c.DowngradeCheckTime)},
		{"watch-progress-notify-interval", int64(c.WatchProgressNotifyInterval)},
	} {
		if flag.value < 0 {
			return fmt.Errorf("--%s must not be negative", flag.name)
		}
	}
	if c.CompactHashCheckTime <= 0 {
		return errors.New("--compact-hash-check-time must be >0")
	}
	if c.WALSegmentBytes < limits.WALSegmentLeastBytes {
		return fmt.Errorf("--wal-segment-bytes must be at least %d (set to %d)", limits.WALSegmentLeastBytes,
			c.WALSegmentBytes)
	}
	return nil
}

func (c *Config) validateTiming() error {
	hb, el := c.HeartbeatInterval.Milliseconds(), c.ElectionTimeout.Milliseconds()
	switch {
	case hb == 0:
		return fmt.Errorf("--heartbeat-interval must be >0 (set to %dms)", hb)
	case el == 0:
		return fmt.Errorf("--election-timeout must be >0 (set to %dms)", el)
	case 5*hb > el:
		return fmt.Errorf("--election-timeout[%vms] should be at least as 5 times as --heartbeat-interval[%vms]", el, hb)
	case c.ElectionTimeout > limits.MaxElectionTimeout:
		return fmt.Errorf("--election-timeout[%vms] is too long, and should be set less than %vms", el,
			limits.MaxElectionTimeout.Milliseconds())
	}
	return nil
}

func (c *Config) remark() {
	note := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if c.WatchProgressNotifyInterval < limits.WatchProgressIntervalMin {
		note("adjusting watch progress notify interval to minimum period: --watch-progress-notify-interval %v is below %v",
			c.WatchProgressNotifyInterval, limits.WatchProgressIntervalMin)
	}
	if c.MaxRequestBytes > limits.RecommendedRequestBytes {
		note("exceeded recommended request limit: --max-request-bytes %d is above %d", c.MaxRequestBytes,
			limits.RecommendedRequestBytes)
	}
	if c.QuotaBackendBytes > limits.RecommendedQuotaBytes {
		note("quota exceeds the recommended maximum value: --quota-backend-bytes %d is above %d", c.QuotaBackendBytes,
			int64(limits.RecommendedQuotaBytes))
	}
	if c.Name == defaultName && len(c.InitialCluster) > 1 {
		note("it isn't recommended to use default name in a cluster of several members, please set a value for --name")
	}
	if c.UnsafeNoFsync {
		note("--unsafe-no-fsync: a crash of the machine will lose acknowledged data")
	}
}

// VerifyBootstrap checks that a member about to be born is part of the cluster it names.
func (c *Config) VerifyBootstrap() error {
	urls, ok := c.InitialCluster[c.Name]
	if !ok {
		return fmt.Errorf("couldn't find local name %q in the initial cluster configuration", c.Name)
	}
	if seen := c.InitialCluster.duplicate(); seen != "" {
		return fmt.Errorf("initial cluster %s has duplicate url %s", c.InitialCluster, seen)
	}
	advertised := c.AdvertisePeerURLs.Strings()
	if strings.Join(urls, ",") == strings.Join(advertised, ",") {
		return nil
	}
	missing := func(in, of []string) []string {
		var out []string
		for _, u := range of {
			if !contains(in, u) {
				out = append(out, c.Name+"="+u)
			}
		}
		return out
	}
	if m := missing(urls, advertised); len(m) > 0 {
		return fmt.Errorf("--initial-cluster must include %s given --initial-advertise-peer-urls=%s", strings.Join(m, ","),
			strings.Join(advertised, ","))
	}
	return fmt.Errorf("--initial-advertise-peer-urls must include %s given --initial-cluster=%s",
		strings.Join(missing(advertised, urls), ","), c.InitialCluster)
}
