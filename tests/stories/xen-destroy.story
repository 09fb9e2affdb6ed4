# A domain that was seen alive right before it was gone was destroyed, though nobody saw by whom.
 5.000  xen      web1 domain-gone true
 5.000  expect   web1 destroy by operator, xen-destroy, not graceful, certain, left gone, actor nobody
