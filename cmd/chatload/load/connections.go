package load

import (
	"context"
	"time"
)

// idle keeps connections open that say nothing.
func (r *run) idle(ctx context.Context, progress *Progress) (*Result, error) {
	result, err := r.storm(ctx, progress)
	if err != nil {
		return nil, err
	}
	if err := r.meter.connected(ctx, len(r.conns), r.options.Settle, &result.Memory); err != nil {
		return nil, err
	}
	before, err := r.meter.cpu()
	if err != nil {
		return nil, err
	}
	begin := r.count()
	if err := wait(ctx, r.options.Duration); err != nil {
		return nil, err
	}
	finish := r.count()
	after, err := r.meter.cpu()
	if err != nil {
		return nil, err
	}
	result.measured(&begin, &finish, before, after)
	r.leave()
	result.account(r)
	if err := r.meter.left(ctx, r.options.Settle, &result.Memory); err != nil {
		return nil, err
	}
	return result, nil
}

// storm connects all members as fast as it can.
func (r *run) storm(ctx context.Context, progress *Progress) (*Result, error) {
	result := newResult(r)
	if r.options.Idle > 0 {
		if err := r.meter.begin(ctx, r.options.Settle, &result.Memory); err != nil {
			return nil, err
		}
	}
	before, err := r.meter.cpu()
	if err != nil {
		return nil, err
	}
	took := new(Histogram)
	begin := time.Now()
	if err := r.connect(ctx, progress, took); err != nil {
		return nil, err
	}
	elapsed := time.Since(begin)
	after, err := r.meter.cpu()
	if err != nil {
		return nil, err
	}
	result.Joins = &Joins{
		Seconds:      elapsed.Seconds(),
		PerSecond:    float64(len(r.conns)) / elapsed.Seconds(),
		Latency:      latencyOf(took),
		MicrosOfCPU:  spent(before, after).Seconds() * 1e6 / float64(len(r.conns)),
		Disconnected: r.lost,
	}
	return result, nil
}
