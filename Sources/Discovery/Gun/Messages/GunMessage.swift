/// A message of GUN's wire: an envelope of ids around a `put`, a `get` or an acknowledgement, or a verb of the mesh.
struct GunMessage: Hashable, Sendable {
    /// `#`. A message without one is given one by whoever receives it.
    var id: ExactText?
    /// `@`: the message that this one answers.
    var answers: ExactText?
    /// `##`: the hash of `put`, or in a `get` of what the asker has already.
    var hash: Int32?
    /// `><`: who is connected to the sender, and need not be sent this.
    var neighbours: [ExactText] = []
    /// `%`: more of the answer follows.
    var more: GunJSON?
    var put: [GunNode]?
    /// Entries of `put` that can't be: left out when it is passed on.
    var malformedEntryCount = 0
    var get: GunQuery?
    /// `ok` of an answer, or the `{"@":…,"/":…}` of a put.
    var ok: GunJSON?
    var err: ExactText?
    /// `?`, `hi`, `!` and others.
    var dam: ExactText?
    /// The sender's id, with `dam` `?`.
    var pid: ExactText?
}
