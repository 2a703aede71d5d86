#if os(Linux)
import Glibc

/// Joins pairs of interfaces in the current namespace, with a delay between the two of each.
public struct DelayElement: Sendable {
    private let lines: [DelayLine]

    /// `pselect` can't wait for a higher descriptor.
    static let maximumPairs = 400

    /// - Parameter seed: For which packets are lost.
    /// - Throws: ``LabError`` with `.commandFailed`.
    public init(_ specifications: [DelaySpecification], seed: UInt64) throws(LabError) {
        guard specifications.count <= Self.maximumPairs else { throw LabError(.commandFailed, "\(specifications.count) pairs; at most \(Self.maximumPairs)") }
        var lines: [DelayLine] = []
        for (index, specification) in specifications.enumerated() {
            let near = try PacketSocket(interface: specification.near)
            let far = try PacketSocket(interface: specification.far)
            let seed = seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
            lines.append(DelayLine(from: near, to: far, delay: specification.delay, loss: specification.loss, seed: seed))
            lines.append(DelayLine(from: far, to: near, delay: specification.delay, loss: specification.loss, seed: seed ^ 0xD1B5_4A32_D192_ED03))
        }
        self.lines = lines
    }

    /// Carries packets until the process ends.
    public func run(onReady: () -> Void) -> Never {
        for line in self.lines { Blocking.detach { line.run() } }
        onReady()
        while true { sleep(3600) }
    }
}
#endif
