"""The local cluster where Docker is missing: the real Kubernetes programs as processes of this host, one node.

layout, parts, config_files   pure: where everything lies, how each part is started
certificates, images          files: keys and kubeconfigs, images without a registry
owner, host, firewall         this host: who owns the cluster, what was changed and is changed back
leftovers, preflight          this host: remove what is left, refuse what cannot work
cluster                       brings it up and down
"""
