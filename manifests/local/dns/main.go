// The DNS server of the cluster: CoreDNS with the plugins that a cluster on one machine needs, and no others. What is
// outside the cluster has no name here, as it cannot be reached either.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	dnsserver.Directives = []string{"errors", "ready", "template", "kubernetes"}
	coremain.Run()
}
