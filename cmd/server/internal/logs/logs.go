// Package logs makes the server's logger: one line a record, JSON with level,
// ts, caller and msg in etcd's form, so that whatever reads etcd's log reads ours.
//
//	log, err := logs.New("info", "json", []string{"default"})
package logs

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// New opens the outputs: "default" and "stderr", "stdout", or file names.
func New(level, format string, outputs []string) (*zap.Logger, error) {
	var at zapcore.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("unknown log level %q: %w", level, err)
	}
	c := zap.Config{
		Level:            zap.NewAtomicLevelAt(at),
		Sampling:         &zap.SamplingConfig{Initial: 100, Thereafter: 100},
		Encoding:         format,
		EncoderConfig:    encoder(),
		OutputPaths:      paths(outputs),
		ErrorOutputPaths: []string{"stderr"},
	}
	log, err := c.Build(zap.AddStacktrace(zapcore.FatalLevel))
	if err != nil {
		return nil, fmt.Errorf("--log-outputs: %w", err)
	}
	return log, nil
}

func encoder() zapcore.EncoderConfig {
	return zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", NameKey: "logger", CallerKey: "caller", MessageKey: "msg",
		StacktraceKey: "stacktrace",
		LineEnding:    zapcore.DefaultLineEnding,
		EncodeLevel:   zapcore.LowercaseLevelEncoder,
		EncodeTime: func(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
			enc.AppendString(t.Format("2006-01-02T15:04:05.000000Z0700"))
		},
		EncodeDuration: zapcore.StringDurationEncoder,
		EncodeCaller:   zapcore.ShortCallerEncoder,
	}
}

func paths(outputs []string) []string {
	out := make([]string, 0, len(outputs))
	for _, o := range outputs {
		if o == "default" {
			o = "stderr"
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}
