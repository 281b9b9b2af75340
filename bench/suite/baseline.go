package suite

import "context"

func startBaseline(mode string) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		args := []string{"-mode", mode, "-listen", listen}
		if s.tls {
			args = append(args, "-tls")
		}
		return s.runSite(ctx, mode, listen, s.url(listen), s.program("baseline"), args...)
	}
}
