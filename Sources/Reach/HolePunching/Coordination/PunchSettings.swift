/// What the coordination of one punch goes by.
struct PunchSettings {
    /// A dial ends by itself after ``attemptTimeout`` and then says what each address failed with: worth this wait.
    static let dialGrace: Duration = .milliseconds(500)

    var budget: Duration
    var attemptTimeout: Duration
    var maximumAttempts: Int
    var messageTimeout: Duration
    var ownAddressTimeout: Duration
    var methods: [PunchMethod]
    var mapping: LocalPunchability.Mapping

    init(_ configuration: HolePunchingConfiguration, mapping: LocalPunchability.Mapping) {
        self.budget = configuration.budget
        self.attemptTimeout =
            mapping == .endpointDependent ? min(configuration.hopelessAttemptTimeout, configuration.attemptTimeout) : configuration.attemptTimeout
        self.messageTimeout = configuration.messageTimeout
        self.ownAddressTimeout = configuration.ownAddressTimeout
        self.methods = configuration.methods
        self.mapping = mapping
        // Behind a NAT with another port for each destination, the peer's SYN never meets ours: what can work, because the peer lets us in
        // from any port, does so at once.
        self.maximumAttempts = mapping == .endpointDependent ? min(1, configuration.maximumAttempts) : configuration.maximumAttempts
    }

    /// - Parameter attempt: From 1.
    func method(of attempt: Int) -> PunchMethod? {
        guard let last = self.methods.last else { return nil }
        return attempt >= 1 && attempt <= self.methods.count ? self.methods[attempt - 1] : last
    }
}
