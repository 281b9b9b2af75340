// Command build makes the files that browsers load: it bundles the modules of web/
// with esbuild and writes them to web/dist, which package web embeds. `go generate
// ./web` runs it. It is a module of its own, so that no Caddy inherits esbuild.
package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// entries maps the names of the bundles, without their extensions, to the sources
// that they start from. Paths are relative to web/.
var entries = []api.EntryPoint{
	{OutputPath: "client", InputPath: "client/client.js"},
	{OutputPath: "embed", InputPath: "embed.js"},
	{OutputPath: "page", InputPath: "page.js"},
	{OutputPath: "page", InputPath: "page.css"},
}

// bundle returns the files of web/dist by name. Each is minified and contains all
// that its entry imports, so that a browser makes one request for it. Licenses of
// others stay, at the end of the file.
func bundle(web string) (map[string][]byte, error) {
	dir, err := filepath.Abs(web)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:       dir,
		EntryPointsAdvanced: entries,
		Outdir:              "dist",
		Bundle:              true,
		Format:              api.FormatESModule,
		Charset:             api.CharsetUTF8,
		LegalComments:       api.LegalCommentsEndOfFile,
		MinifyIdentifiers:   true,
		MinifySyntax:        true,
		MinifyWhitespace:    true,
		// The oldest browsers that docs/client.md names. Chromium's is the version
		// of the same year.
		Engines: []api.Engine{
			{Name: api.EngineChrome, Version: "111"},
			{Name: api.EngineFirefox, Version: "115"},
			{Name: api.EngineSafari, Version: "16.4"},
		},
	})
	var failures []error
	for _, message := range append(result.Errors, result.Warnings...) {
		where := ""
		if at := message.Location; at != nil {
			where = fmt.Sprintf("%s:%d: ", at.File, at.Line)
		}
		failures = append(failures, errors.New(where+message.Text))
	}
	if len(failures) > 0 {
		return nil, errors.Join(failures...)
	}
	files := make(map[string][]byte, len(result.OutputFiles))
	for _, file := range result.OutputFiles {
		files[filepath.Base(file.Path)] = file.Contents
	}
	return files, nil
}
