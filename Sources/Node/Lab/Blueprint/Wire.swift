/// A cable between two machines' interfaces. With a delay, the delay element sits in its middle.
struct Wire: Hashable {
    /// The side away from the core (or the host's, in a home).
    var near: (machine: String, interface: String)
    var far: (machine: String, interface: String)
    var index: Int
    var link: LinkPlan

    /// Fixed, so that neighbours can be permanent; locally administered.
    var nearMAC: String { Self.mac(self.index, side: 1) }
    var farMAC: String { Self.mac(self.index, side: 2) }
    var isDelayed: Bool { self.link.delay > .zero }
    /// The delay element's interfaces.
    var delayNear: String { "d\(self.index)n" }
    var delayFar: String { "d\(self.index)f" }

    private static func mac(_ index: Int, side: Int) -> String {
        func hex(_ value: Int) -> String {
            let text = String(value & 0xFF, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "02:00:00:\(hex(index >> 8)):\(hex(index)):\(hex(side))"
    }

    static func == (lhs: Wire, rhs: Wire) -> Bool { lhs.index == rhs.index && lhs.near == rhs.near && lhs.far == rhs.far && lhs.link == rhs.link }
    func hash(into hasher: inout Hasher) { hasher.combine(self.index) }
}
