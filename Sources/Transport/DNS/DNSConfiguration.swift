/// How names are asked for, and how much is believed of what comes.
public struct DNSConfiguration: Hashable, Sendable {
    /// A server that is asked in place of the system's.
    public struct Server: Hashable, Sendable {
        /// IPv4, as text.
        public var host: String
        public var port: UInt16

        public init(host: String, port: UInt16 = 53) {
            self.host = host
            self.port = port
        }
    }

    /// Nil: those of the system (`resolv.conf`).
    public var server: Server?
    /// For one address, all its questions together. What was found until then is returned.
    public var timeout: Duration = .seconds(10)
    /// How long each server is waited for, in whole seconds; at least one. The system's library asks all of them ``attempts`` times.
    public var attemptTimeout: Duration = .seconds(2)
    public var attempts = 2

    /// Questions behind one another: `/dnsaddr` records may lead to further `/dnsaddr` names. Public networks use two.
    public var maximumDepth = 4
    /// Names asked for on account of one address.
    public var maximumNames = 32
    /// Addresses that one address stands for; more are left out.
    public var maximumAddresses = 100
    /// Records read of one answer; more are left out.
    public var maximumRecords = 256

    /// Questions at a time, each of which has a thread while it waits.
    public var maximumConcurrentQuestions = 4
    /// Questions that wait for their turn; more are refused.
    public var maximumWaitingQuestions = 64

    public init() {}
}
