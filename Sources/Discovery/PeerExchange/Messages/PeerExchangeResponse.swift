/// The answer to a request.
struct PeerExchangeResponse: Hashable, Sendable {
    enum Status: Hashable, Sendable, CaseIterable {
        case taken
        /// Nothing was looked at: too much of this at a time.
        case busy
        /// Nothing was taken: exchanges are missing. The next one has to begin anew.
        case restart
        /// A request of a later version.
        case unsupported
    }

    /// One that has what was asked for. Envelopes as received: not yet looked into.
    struct Holder: Hashable, Sendable {
        var announcement: [UInt8]
        /// The holder's record, if the sender has it.
        var record: [UInt8]?
    }

    var status = Status.taken
    /// To a query.
    var holders: [Holder] = []
}
