extension LabPlan {
    /// One home of every kind, and those with options that change what they do.
    public static var everyKind: LabPlan {
        var homes = NATKind.allCases.map { HomePlan($0.rawValue, nat: $0) }
        homes += [NATKind.fullCone, .addressRestricted, .portRestricted].map { HomePlan("\($0.rawValue)-hp", nat: $0, hairpin: true) }
        homes += [NATKind.fullCone, .portRestrictedEIM].map { HomePlan("\($0.rawValue)-mv", nat: $0, preservesPorts: false) }
        homes.append(HomePlan("ipv6-open", nat: .symmetric, ipv6: .open))
        return LabPlan(homes: homes)
    }
}
