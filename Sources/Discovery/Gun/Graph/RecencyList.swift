/// Names in the order of their last use: a doubly linked list in an array, every step of constant cost.
struct RecencyList {
    private struct Link {
        var name: ExactText
        var previous: Int
        var next: Int
    }

    private static let none = -1

    private var links: [Link] = []
    private var free: [Int] = []
    private var positions: [ExactText: Int] = [:]
    private var oldest = Self.none
    private var newest = Self.none

    var count: Int { self.positions.count }
    var first: ExactText? { self.oldest == Self.none ? nil : self.links[self.oldest].name }

    /// Makes `name` the one used last.
    mutating func touch(_ name: ExactText) {
        if let position = self.positions[name] {
            guard position != self.newest else { return }
            self.unlink(position)
            self.append(position)
        } else {
            let position: Int
            if let free = self.free.popLast() {
                position = free
                self.links[position].name = name
            } else {
                position = self.links.count
                self.links.append(Link(name: name, previous: Self.none, next: Self.none))
            }
            self.positions[name] = position
            self.append(position)
        }
    }

    mutating func remove(_ name: ExactText) {
        guard let position = self.positions.removeValue(forKey: name) else { return }
        self.unlink(position)
        self.links[position].name = ""
        self.free.append(position)
    }

    private mutating func unlink(_ position: Int) {
        let (previous, next) = (self.links[position].previous, self.links[position].next)
        if previous == Self.none { self.oldest = next } else { self.links[previous].next = next }
        if next == Self.none { self.newest = previous } else { self.links[next].previous = previous }
    }

    private mutating func append(_ position: Int) {
        self.links[position].previous = self.newest
        self.links[position].next = Self.none
        if self.newest == Self.none { self.oldest = position } else { self.links[self.newest].next = position }
        self.newest = position
    }
}
