// What the API of this module is written in: one import is enough.
@_exported public import DIGAccess
@_exported public import DIGAnnouncement
@_exported public import DIGAvailability
@_exported public import DIGContent
@_exported public import DIGDiscovery
@_exported public import DIGIdentity
@_exported public import DIGLocalDiscovery
@_exported public import DIGMultiformats
@_exported public import DIGNet
@_exported public import DIGStorage
@_exported public import DIGSwarm
@_exported public import DIGTransfer
@_exported public import DIGTraversal
