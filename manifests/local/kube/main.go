// One binary with the parts of Kubernetes that a node needs, out of Kubernetes' own Go module: they share most of their
// code, so together they are built in one go and fill a fifth of the room. Which part runs is said by the name of the
// link that was started, as busybox does it, or else by the first argument.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	etcd "go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	api "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// the logging formats and the metrics that upstream's own binaries register
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          api.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	// like the others it makes a context of its own that ends with a signal; one made here would be the second, and panic
	"kubelet":    func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy": proxy.NewProxyCommand,
}

func main() {
	args := os.Args
	if !known(name(args)) && len(args) > 1 {
		args = args[1:]
	}
	switch part := name(args); part {
	case "etcd":
		etcd.Main(args)
	case "kubectl":
		os.Args = args
		command := kubectl.NewDefaultKubectlCommand()
		if err := cli.RunNoErrOutput(command); err != nil {
			util.CheckErr(err)
		}
	default:
		construct, found := parts[part]
		if !found {
			fmt.Fprintf(os.Stderr, "no such part: %s; there are etcd, kubectl, %v\n", part, names())
			os.Exit(2)
		}
		os.Args = args
		os.Exit(cli.Run(construct()))
	}
}

func name(args []string) string { return filepath.Base(args[0]) }

func known(part string) bool {
	_, found := parts[part]
	return found || part == "etcd" || part == "kubectl"
}

func names() []string {
	var all []string
	for part := range parts {
		all = append(all, part)
	}
	slices.Sort(all)
	return all
}
