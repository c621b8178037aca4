// Argo CD's application controller and repository server out of its own Go module, in one binary: what syncs, runs hooks and
// retries is upstream's code. Its API server and its pages are left out; a sync is started as that server starts one. Which
// part runs is said by the name of the link that was started.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	askpass "github.com/argoproj/argo-cd/v3/cmd/argocd-git-ask-pass/commands"
	repository "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

var parts = map[string]func() *cobra.Command{
	"argocd-application-controller": controller.NewCommand,
	"argocd-repo-server":            repository.NewCommand,
	"argocd-git-ask-pass":           askpass.NewCommand,
}

func main() {
	part := filepath.Base(os.Args[0])
	construct, found := parts[part]
	if !found {
		fmt.Fprintf(os.Stderr, "no such part: %s; start it by a link that is named after one\n", part)
		os.Exit(2)
	}
	if err := construct().Execute(); err != nil {
		os.Exit(1)
	}
}
