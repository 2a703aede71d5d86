/// How often a method was tried and worked.
public struct MethodStatistics: Hashable, Sendable {
    public var attempts: UInt64
    public var successes: UInt64
    /// Of the successes, all together.
    public var successDuration: Duration

    public init(attempts: UInt64 = 0, successes: UInt64 = 0, successDuration: Duration = .zero) {
        self.attempts = attempts
        self.successes = successes
        self.successDuration = successDuration
    }

    /// The chance that it works next time: the mean of a Beta distribution that began with one success and one failure, so that one
    /// attempt decides little.
    public var successProbability: Double {
        (Double(min(self.successes, self.attempts)) + 1) / (Double(self.attempts) + 2)
    }

    public mutating func add(_ record: AttemptRecord) {
        switch record.outcome {
        case .succeeded:
            self.attempts = self.attempts.addingReportingOverflow(1).partialValue
            self.successes = self.successes.addingReportingOverflow(1).partialValue
            self.successDuration += record.duration
        case .failed:
            self.attempts = self.attempts.addingReportingOverflow(1).partialValue
        case .overtaken, .unfinished:
            break
        }
    }
}

extension [TraversalMethod: MethodStatistics] {
    /// `methods` by their chance of success here, the order given deciding between equals and among those that were never tried.
    ///
    /// A method without history keeps its place before those that did worse than chance.
    public func ordered(_ methods: [TraversalMethod]) -> [TraversalMethod] {
        methods.enumerated().sorted { left, right in
            let (l, r) = (self[left.element]?.successProbability ?? 0.5, self[right.element]?.successProbability ?? 0.5)
            return l == r ? left.offset < right.offset : l > r
        }.map(\.element)
    }
}
