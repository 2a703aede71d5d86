/// How what a peer does under one topic counts (gossipsub v1.1, "The Score Function"). Weights may be 0: then the part does not count.
public struct TopicScoreParameters: Hashable, Sendable {
    /// Of this topic among the others.
    public var topicWeight = 1.0

    // MARK: P₁, time in the mesh

    /// Not negative, and small: being there is not much of a merit.
    public var timeInMeshWeight = 0.01
    /// The time that counts as 1.
    public var timeInMeshQuantum: Duration = .seconds(1)
    public var timeInMeshCap = 600.0

    // MARK: P₂, messages that it was the first to bring

    public var firstMessageDeliveriesWeight = 0.5
    /// Factor in each ``PeerScoreParameters/decayInterval``.
    public var firstMessageDeliveriesDecay = PeerScoreParameters.decay(over: .seconds(600))
    public var firstMessageDeliveriesCap = 40.0

    // MARK: P₃, messages that it should have brought

    /// Not positive. 0 because it needs to be known how many messages there will be: where there are few, everybody would be to blame.
    public var meshMessageDeliveriesWeight = 0.0
    public var meshMessageDeliveriesDecay = PeerScoreParameters.decay(over: .seconds(600))
    public var meshMessageDeliveriesCap = 40.0
    /// Fewer than these are too few.
    public var meshMessageDeliveriesThreshold = 10.0
    /// A second copy so soon after the first was judged is as good.
    public var meshMessageDeliveriesWindow: Duration = .milliseconds(10)
    /// A peer that has been in the mesh for less is not expected to have brought any.
    public var meshMessageDeliveriesActivation: Duration = .seconds(60)

    // MARK: P₃b, meshes that it has left with too few

    /// Not positive.
    public var meshFailurePenaltyWeight = 0.0
    public var meshFailurePenaltyDecay = PeerScoreParameters.decay(over: .seconds(600))

    // MARK: P₄, invalid messages

    /// Not positive; for the square of their number.
    public var invalidMessageDeliveriesWeight = -100.0
    public var invalidMessageDeliveriesDecay = PeerScoreParameters.decay(over: .seconds(3600))

    public init() {}

    /// Whether a second copy of a message is of any interest.
    var countsNearFirst: Bool { self.meshMessageDeliveriesWeight != 0 || self.meshFailurePenaltyWeight != 0 }

    var isValid: Bool {
        let decays = [
            self.firstMessageDeliveriesDecay, self.meshMessageDeliveriesDecay, self.meshFailurePenaltyDecay, self.invalidMessageDeliveriesDecay,
        ]
        let (gains, losses) = (
            [self.topicWeight, self.timeInMeshWeight, self.firstMessageDeliveriesWeight, self.timeInMeshCap, self.firstMessageDeliveriesCap],
            [self.meshMessageDeliveriesWeight, self.meshFailurePenaltyWeight, self.invalidMessageDeliveriesWeight]
        )
        return decays.allSatisfy { $0 > 0 && $0 < 1 } && gains.allSatisfy { $0 >= 0 && $0.isFinite } && losses.allSatisfy { $0 <= 0 && $0.isFinite }
            && self.timeInMeshQuantum > .zero && self.meshMessageDeliveriesCap >= self.meshMessageDeliveriesThreshold
    }
}
