// Package logs makes the server's logger: one line a record, JSON with level,
// ts, caller and msg in etcd's form, so that whatever reads etcd's log reads ours.
//
//	log, err := logs.New(logs.Options{Level: "info", Format: "json", Outputs: []string{"default"}})
package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// Options are an operator's.
type Options struct {
	Level, Format string
	Outputs       []string // "default" and "stderr", "stdout", or file names
	// Rotation is how the one file among the outputs is rotated, as JSON: maxsize in megabytes, maxage in days,
	// maxbackups, localtime, compress. Empty: not at all.
	Rotation string
}

// ErrRotationOutput is etcd's reason to refuse a rotation.
var ErrRotationOutput = errors.New("--log-outputs requires a single file path when --log-rotate-config-json is defined")

// New opens the outputs.
func New(o Options) (*zap.Logger, error) {
	var level zapcore.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		return nil, fmt.Errorf("unknown log level %q: %w", o.Level, err)
	}
	format := zapcore.NewJSONEncoder
	if o.Format == "console" {
		format = zapcore.NewConsoleEncoder
	}
	if len(o.Outputs) > 1 && slices.Contains(o.Outputs, "default") {
		return nil, errors.New(`multi logoutput for "default" is not supported yet`)
	}
	outputs, rotated, err := rotate(paths(o.Outputs), o.Rotation)
	if err != nil {
		return nil, err
	}
	sink, _, err := zap.Open(outputs...)
	if err != nil {
		return nil, fmt.Errorf("--log-outputs: %w", err)
	}
	if rotated != nil {
		sink = zapcore.NewMultiWriteSyncer(sink, zapcore.AddSync(rotated))
	}
	core := zapcore.NewSamplerWithOptions(zapcore.NewCore(format(encoder()), sink, level), time.Second, 100, 100)
	return zap.New(core, zap.AddCaller(), zap.ErrorOutput(sink), zap.AddStacktrace(zapcore.FatalLevel)), nil
}

// rotate takes the file that is to be rotated out of the outputs.
func rotate(outputs []string, how string) (others []string, file *lumberjack.Logger, err error) {
	if how == "" {
		return outputs, nil, nil
	}
	file = &lumberjack.Logger{}
	for _, o := range outputs {
		switch {
		case o == "stdout" || o == "stderr":
			others = append(others, o)
		case file.Filename != "":
			return nil, nil, ErrRotationOutput
		default:
			file.Filename = o
		}
	}
	if file.Filename == "" {
		return nil, nil, ErrRotationOutput
	}
	name := file.Filename
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal([]byte(how), file); {
	case errors.As(err, &syntax):
		return nil, nil, fmt.Errorf("improperly formatted log rotation config: %w", err)
	case errors.As(err, &kind):
		return nil, nil, fmt.Errorf("invalid log rotation config: %w", err)
	case err != nil:
		return nil, nil, fmt.Errorf("fail to unmarshal log rotation config: %w", err)
	}
	file.Filename = name
	return others, file, nil
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
