package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/yodelrpc/yodel/generator"
)

// buildVersion is what this program was built from. Fields that the build did
// not record are empty.
type buildVersion struct {
	Version  string `json:"version"`
	Protobuf string `json:"protobuf"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
}

func readVersion() buildVersion {
	v := buildVersion{
		Version:  generator.Version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, dep := range info.Deps {
		if dep.Path == "google.golang.org/protobuf" {
			v.Protobuf = dep.Version
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			if asJSON {
				text, err := json.MarshalIndent(v, "", "  ")
				if err != nil {
					return failure{err}
				}
				return printed(fmt.Fprintln(cmd.OutOrStdout(), string(text)))
			}
			return printed(fmt.Fprintf(cmd.OutOrStdout(), "yodel %s (protobuf %s, %s, %s)\n", v.Version, v.Protobuf, v.Go, v.Platform))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as a JSON object")
	return cmd
}

// printed makes a failure of an error in printing a command's result.
func printed(_ int, err error) error {
	if err != nil {
		return failure{err}
	}
	return nil
}
