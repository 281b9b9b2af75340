package load

import (
	"context"
	"time"
)

// idle keeps connections open that send nothing, and measures their memory.
func (r *run) idle(ctx context.Context, result *Result) error {
	before, err := r.stableSizes(ctx)
	if err != nil {
		return err
	}
	if err := r.join(ctx, result); err != nil {
		return err
	}
	connected, err := r.stableSizes(ctx)
	if err != nil {
		return err
	}
	begin, err := r.snapshot()
	if err != nil {
		return err
	}
	if err := wait(ctx, r.options.Duration); err != nil {
		return err
	}
	end, err := r.snapshot()
	if err != nil {
		return err
	}
	result.setWindow(r, begin, end)
	r.close()
	result.setTotals(r)
	left, err := r.stableSizes(ctx)
	if err != nil {
		return err
	}
	for i, process := range r.options.Processes {
		result.Memory = append(result.Memory, Memory{
			Process:       process.Name,
			Before:        before[i],
			Connected:     connected[i],
			Left:          left[i],
			PerConnection: float64(connected[i]-before[i]) / float64(len(r.conns)),
		})
	}
	return nil
}

// storm only connects all members.
func (r *run) storm(ctx context.Context, result *Result) error {
	if err := r.join(ctx, result); err != nil {
		return err
	}
	r.close()
	result.setTotals(r)
	return nil
}

// join connects all members as fast as it can.
func (r *run) join(ctx context.Context, result *Result) error {
	before, err := r.snapshot()
	if err != nil {
		return err
	}
	took := new(Histogram)
	if err := r.connect(ctx, took); err != nil {
		return err
	}
	after, err := r.snapshot()
	if err != nil {
		return err
	}
	seconds := time.Duration(after.at - before.at).Seconds()
	connections := float64(len(r.conns))
	result.Joins = &Joins{
		Seconds:     seconds,
		PerSecond:   connections / seconds,
		Latency:     latencyOf(took),
		MicrosOfCPU: spent(before.servers, after.servers).Seconds() * 1e6 / connections,
	}
	return nil
}
