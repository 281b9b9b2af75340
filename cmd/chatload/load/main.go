package load

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs the command line and returns the exit status.
func Main(name string, args []string, protocol Protocol, stdout, stderr io.Writer) int {
	stdout, stderr = terminal{stdout}, terminal{stderr}
	fail := func(err error, status int) int {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return status
	}
	o, err := ParseOptions(name, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return fail(err, 2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := Run(ctx, o, protocol, stderr)
	if err != nil {
		return fail(err, 1)
	}
	if o.JSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		_, err = io.WriteString(stdout, result.String())
	}
	if err != nil {
		return fail(err, 1)
	}
	if !result.Faultless() {
		return 1
	}
	return 0
}
