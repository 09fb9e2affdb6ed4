# Whoever libvirtd has destroy a domain goes by a thread's name: he may be cleaning up after one that shut down unseen, as libvirtd does.
 4.990  trace    web1 hypercall command=destroydomain domid=5 pid=991 comm=rpc-libvirtd exe=/usr/sbin/libvirtd user=root
 5.000  xen      web1 domain-gone
 5.000  expect   web1 destroy by operator, xen-destroy, not graceful, likely, left gone, actor rpc-libvirtd
 5.000  expect   web1 1 verdict
