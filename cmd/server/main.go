// Command server is the native server: one member of an etcd cluster on real
// disks and sockets, with the page of the project inside.
//
//	vitrine                                    one member on localhost:2379
//	vitrine gateway start --endpoints ...      passes connections on to members
//	vitrine grpc-proxy start --endpoints ...   asks members on behalf of many clients
//	vitrine --name a --data-dir /var/lib/v ... etcd's flags, see --help
//
// It speaks etcd's API, peer protocol and data directory, so that etcdctl,
// clients, peers and backups of etcd's are at home here.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/logs"
	"vitrine/cmd/server/internal/serve"
	"vitrine/cmd/server/internal/version"
	"vitrine/web"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is main with an exit code: 0 after a stop that was asked for, 1 for what went
// wrong, 2 for a command line that makes no sense.
func run(args []string) int {
	if len(args) > 0 && args[0] == "gateway" {
		return runGateway(args[1:])
	}
	if len(args) > 0 && args[0] == "grpc-proxy" {
		return runProxy(args[1:])
	}
	cfg, err := config.Parse(args, os.Environ(), os.Stderr)
	var usage *config.UsageError
	switch {
	case errors.Is(err, config.ErrVersion):
		printVersion()
		return 0
	case errors.Is(err, config.ErrHelp):
		config.Help(os.Stdout)
		return 0
	case errors.As(err, &usage):
		return 2
	}
	o := logs.Options{Level: "info", Format: "json", Outputs: []string{"default"}}
	if cfg != nil && err == nil {
		o = logs.Options{Level: cfg.LogLevel, Format: cfg.LogFormat, Outputs: cfg.LogOutputs, Rotation: cfg.LogRotation}
		grpc.EnableTracing = cfg.LogLevel == "debug"
	}
	log, logErr := logs.New(o)
	if logErr != nil {
		fmt.Fprintln(os.Stderr, logErr)
		return 1
	}
	defer log.Sync()
	log.Info("Running: ", zap.Strings("args", args))
	if err != nil {
		log.Warn("failed to verify flags", zap.Error(err))
		return 1
	}
	for _, note := range cfg.Notes {
		log.Warn(note)
	}
	return operate(cfg, log)
}

func printVersion() {
	fmt.Printf("etcd Version: %s\n", version.Etcd)
	fmt.Printf("Git SHA: %s\n", version.Commit)
	fmt.Printf("Go Version: %s\n", runtime.Version())
	fmt.Printf("Go OS/Arch: %s/%s\n", runtime.GOOS, runtime.GOARCH)
	fmt.Printf("vitrine Version: %s\n", version.Commit)
}

// announce says in the log what starts, so that whoever reads it knows what it is about.
func announce(cfg *config.Config, log *zap.Logger) {
	log.Info("starting an etcd server", zap.String("etcd-version", version.Etcd), zap.String("git-sha", version.Commit),
		zap.String("go-version", runtime.Version()), zap.String("go-os", runtime.GOOS), zap.String("go-arch", runtime.GOARCH),
		zap.Int("max-cpu-set", runtime.GOMAXPROCS(0)),
		zap.String("name", cfg.Name), zap.String("data-dir", cfg.DataDir), zap.String("wal-dir", cfg.WALDir),
		zap.Duration("heartbeat-interval", cfg.HeartbeatInterval), zap.Duration("election-timeout", cfg.ElectionTimeout),
		zap.Bool("initial-election-tick-advance", cfg.ElectionTickAdvance), zap.Bool("pre-vote", cfg.PreVote),
		zap.Uint64("snapshot-count", cfg.SnapshotCount), zap.Uint64("snapshot-catchup-entries", cfg.SnapshotCatchUpEntries),
		zap.Int64("quota-backend-bytes", cfg.QuotaBackendBytes), zap.Uint("max-request-bytes", cfg.MaxRequestBytes),
		zap.Uint32("max-concurrent-streams", cfg.MaxConcurrentStreams),
		zap.Strings("initial-advertise-peer-urls", cfg.AdvertisePeerURLs.Strings()),
		zap.Strings("advertise-client-urls", cfg.AdvertiseClientURLs.Strings()),
		zap.Strings("listen-metrics-urls", cfg.ListenMetricsURLs.Strings()),
		zap.Strings("listen-peer-urls", cfg.ListenPeerURLs.Strings()),
		zap.Strings("listen-client-urls", cfg.ListenClientURLs.Strings()),
		zap.Stringer("initial-cluster", cfg.InitialCluster), zap.String("initial-cluster-state", cfg.InitialClusterState),
		zap.String("v2-deprecation", config.V2Deprecation))
}

// operate runs the server until a signal or a failure.
func operate(cfg *config.Config, log *zap.Logger) int {
	tuneGC()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	announce(cfg, log)
	page, built := web.Files()
	if !built {
		page = nil
	}
	server, err := serve.Start(cfg, log, page)
	if err != nil {
		log.Error("failed to start", zap.Error(err))
		return 1
	}
	select {
	case s := <-signals:
		log.Info("received signal; shutting down", zap.String("signal", s.String()))
		signal.Stop(signals)
		if err := server.Stop(); err != nil {
			log.Error("stopped with an error", zap.Error(err))
			return 1
		}
		log.Info("stopped")
		return reraise(s, log)
	case err := <-server.Failed():
		server.Abort()
		log.Error("the server cannot go on", zap.Error(err))
		return 1
	}
}

// reraise dies of the signal, so that whoever started the server sees why it ended. The
// first process of a container has no default action for signals and just exits.
func reraise(s os.Signal, log *zap.Logger) int {
	if os.Getpid() == 1 {
		return 0
	}
	log.Sync()
	signal.Reset(s)
	if err := syscall.Kill(os.Getpid(), s.(syscall.Signal)); err != nil {
		return 1
	}
	select {} // the signal is on its way
}
