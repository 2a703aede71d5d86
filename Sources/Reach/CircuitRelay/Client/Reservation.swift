public import DIGIdentity
public import DIGMultiformats

/// A slot at a relay: while it lasts, others reach this peer through it.
public struct Reservation: Sendable, Hashable {
    public var relay: PeerID
    /// How this peer is reached through the relay, each `<relay address>/p2p/<relay>/p2p-circuit`.
    public var addresses: [Multiaddr]
    /// Unix time, by the relay's clock.
    public var expirationSeconds: UInt64
    /// Until ``expirationSeconds`` by this machine's clock when the answer came, clamped: what refreshing goes by.
    public var lifetime: Duration
    /// What the relay says that a circuit may carry.
    public var limit: RelayLimit
    /// The relay's signed word, checked; nil if it gives none.
    public var voucher: SignedEnvelope?

    /// Reservations for longer are taken for this long: the relay may forget, and the number is the relay's.
    static let maximumLifetime: Duration = .seconds(24 * 3600)
    /// Reservations for less are refused: refreshing them would be a flood.
    static let minimumLifetime: Duration = .seconds(30)
    /// How far the voucher's end may be from the reservation's; relays that compute it twice are off by one.
    static let expirationToleranceSeconds: UInt64 = 5
    /// Ours: addresses kept of one relay.
    static let maximumAddressCount = 8

    /// Checks what a relay grants.
    ///
    /// - Parameters:
    ///   - isAcceptable: Which of the addresses named may be believed.
    ///   - knownAddress: Where the relay was reached, without `/p2p/…`; it comes first.
    ///   - nowSeconds: Unix time.
    /// - Throws: ``CircuitRelayError`` with `.invalidReservation`.
    init(
        _ grant: ReservationGrant, limit: RelayLimit?, relay: PeerID, peer: PeerID, knownAddress: Multiaddr?,
        isAcceptable: (Multiaddr) -> Bool, nowSeconds: UInt64
    ) throws(CircuitRelayError) {
        guard grant.expirationSeconds > nowSeconds else {
            throw CircuitRelayError(.invalidReservation, "the relay \(relay) grants a reservation that is over")
        }
        let lifetime = Duration.seconds(min(grant.expirationSeconds - nowSeconds, UInt64(Self.maximumLifetime.components.seconds)))
        guard lifetime >= Self.minimumLifetime else {
            throw CircuitRelayError(.invalidReservation, "the relay \(relay) grants a reservation for \(lifetime) only")
        }
        if let bytes = grant.voucher {
            self.voucher = try Self.checkedVoucher(bytes, of: relay, for: peer, expirationSeconds: grant.expirationSeconds)
        } else {
            self.voucher = nil
        }
        var addresses: [Multiaddr] = []
        if let knownAddress, !knownAddress.isCircuit { addresses.append(CircuitAddress(relayAddress: knownAddress, relay: relay).circuit) }
        for address in grant.addresses {
            // Some relays leave out their id, others add `/p2p-circuit`.
            let components = address.components.last == .p2pCircuit ? Array(address.components.dropLast()) : address.components
            let address = Multiaddr(components: components)
            guard !address.isCircuit, address.peerID.map({ $0 == relay }) ?? true else { continue }
            let bare = address.removingPeerID()
            guard !bare.components.isEmpty, isAcceptable(bare) else { continue }
            let circuit = CircuitAddress(relayAddress: bare, relay: relay).circuit
            if !addresses.contains(circuit) { addresses.append(circuit) }
        }
        self.relay = relay
        self.addresses = Array(addresses.prefix(Self.maximumAddressCount))
        self.expirationSeconds = grant.expirationSeconds
        self.lifetime = lifetime
        self.limit = limit ?? .unlimited
    }

    private static func checkedVoucher(
        _ bytes: [UInt8], of relay: PeerID, for peer: PeerID, expirationSeconds: UInt64
    ) throws(CircuitRelayError) -> SignedEnvelope {
        let envelope: SignedEnvelope
        let voucher: ReservationVoucher
        do throws(IdentityError) {
            envelope = try SignedEnvelope(decoding: bytes)
            voucher = try ReservationVoucher(opening: envelope)
        } catch {
            throw CircuitRelayError(.invalidReservation, "the voucher of the relay \(relay) is not valid", cause: error)
        }
        guard voucher.relay == relay, voucher.peer == peer else {
            throw CircuitRelayError(.invalidReservation, "the relay \(relay) gives a voucher of \(voucher.relay) for \(voucher.peer)")
        }
        let (low, high) = (min(voucher.expirationSeconds, expirationSeconds), max(voucher.expirationSeconds, expirationSeconds))
        guard high - low <= Self.expirationToleranceSeconds else {
            throw CircuitRelayError(.invalidReservation, "the voucher of the relay \(relay) ends at another time than the reservation")
        }
        return envelope
    }
}
