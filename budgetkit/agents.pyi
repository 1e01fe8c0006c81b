from agents import *  # in a checkout, budgetkit.agents is ../agents
